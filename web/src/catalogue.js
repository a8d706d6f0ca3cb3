// The catalogue: datasets by words, region and year.
import { both, byId } from './text.js'

export function start() {
  if (!byId('find')) return
  const all = [...byId('datasets').children]
  const draw = () => {
    const parts = byId('search').value.trim().toLowerCase().split(/\s+/).filter(Boolean)
    let count = 0
    for (const one of all) {
      const words = `${one.textContent} ${one.dataset.words}`.toLowerCase()
      one.hidden = !(parts.every((part) => words.includes(part)) &&
        ['region', 'year'].every((id) => !byId(id).value || byId(id).value === one.dataset[id]))
      if (!one.hidden) count++
    }
    byId('status').replaceChildren(both(`${count} 个数据集`, `${count} dataset${count === 1 ? '' : 's'}`))
  }
  byId('find').hidden = false
  byId('find').addEventListener('input', draw)
  byId('find').addEventListener('submit', (event) => event.preventDefault())
  draw()
}
