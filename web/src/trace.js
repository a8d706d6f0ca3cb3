// Behind a figure: every body, file and place that a county total is the sum of.
import { figureText } from './figures.js'
import { MOST_ROWS, openParquet } from './parquet.js'
import { both, byId, config, el, grouped, visible } from './text.js'

const HEADS = [['单位', 'Body'], ['数值', 'Value'], ['原文', 'Text in the file'], ['位置', 'Place'], ['文件 SHA-256', 'SHA-256 of the file']]
const COLUMNS = ['body', 'cell', 'value', 'raw', 'state', 'file_sha256', 'address']
const MOST_SHOWN = 2000

export function start() {
  const { tables, words } = config()
  const file = (name) => {
    const found = tables.find((one) => one.id === name)
    return openParquet(found.file, found.bytes)
  }
  let data

  function stated(row) {
    const made = el('td', {}, row.raw ?? '—')
    if (row.state !== 'given') made.append(' ', el('small', {}, (words.states[row.state] ?? [row.state]).join(' ')))
    return made
  }

  function draw() {
    const id = byId('cell').value
    const [label, , unit] = words.cells[id]
    const rows = data.all ? data.all.filter((row) => row.cell === id) : data.rows
    const total = data.totals.find((row) => row.cell === id)
    const given = rows.filter((row) => row.value !== null)
    const sum = given.reduce((sofar, row) => sofar + row.value, 0n)
    byId('sum').textContent = total?.value === null || !total ? '—' : grouped(figureText(total.value))
    byId('unit').replaceChildren(words.units[unit] ? both(unit, words.units[unit]) : unit)
    byId('cell-id').textContent = id
    const nothing = given.filter((row) => row.value === 0n).length
    const equal = total && (given.length ? total.value === sum : total.value === null) && total.bodies === given.length
    const status = byId('status')
    status.className = equal ? 'status good' : 'status bad'
    status.replaceChildren(equal
      ? both(`✓ 等于 ${given.length} 个单位之和（其中 ${nothing} 个为 0）。`, `Equals the sum of ${given.length} bodies (${nothing} of them 0).`)
      : both(`✗ 各单位之和是 ${figureText(sum)}，与合计不符。`, `The bodies add up to ${figureText(sum)}, not to the total.`))
    const shown = rows.filter((row) => byId('zeros').checked || row.value !== 0n)
      .sort((a, b) => a.value === b.value ? (a.body < b.body ? -1 : 1) : a.value === null ? 1 : b.value === null ? -1 : b.value > a.value ? 1 : -1)
    byId('rows').tHead.replaceChildren(el('tr', {}, ...HEADS.map(([zh, en]) => el('th', { scope: 'col' }, both(zh, en)))))
    byId('rows').tBodies[0].replaceChildren(...shown.slice(0, MOST_SHOWN).map((row) => {
      const name = el('a', { href: `data.html#table=body_cells&f.body=${encodeURIComponent(row.body)}` }, words.bodies[row.body] ?? row.body)
      return el('tr', {},
        el('th', { scope: 'row' }, name, ' ', el('small', {}, row.body)),
        el('td', { class: 'num' }, row.value === null ? '—' : grouped(figureText(row.value))),
        stated(row),
        el('td', {}, row.address ?? '—'),
        el('td', {}, el('code', { class: 'sha', title: row.file_sha256 }, row.file_sha256.slice(0, 12))))
    }))
    if (shown.length > MOST_SHOWN) {
      const more = el('a', { href: `data.html#table=body_cells&f.cell=${id}` },
        both(`另有 ${shown.length - MOST_SHOWN} 个单位`, `${shown.length - MOST_SHOWN} more bodies`))
      byId('rows').tBodies[0].append(el('tr', {}, el('td', { colspan: HEADS.length }, more)))
    }
    document.title = `${visible(label)} · ${document.title.split(' · ').at(-1)}`
  }

  async function restart() {
    const wanted = new URLSearchParams(location.hash.slice(1)).get('cell')
    if (wanted && words.cells[wanted]) byId('cell').value = wanted
    byId('trace').hidden = false
    const status = byId('status')
    try {
      if (!data) {
        status.replaceChildren(both('读取中……', 'Reading…'))
        const [cells, totals] = await Promise.all([file('body_cells'), file('county_totals')])
        const small = cells.rowCount <= MOST_ROWS // else each cell that is chosen is looked for in the file
        data = { cells, totals: await totals.rows(), all: small ? await cells.rows() : undefined }
      }
      if (!data.all) {
        const id = byId('cell').value
        status.className = 'status'
        status.replaceChildren(both('读取中……', 'Reading…'))
        const rows = await data.cells.filtered((row) => row.cell === id, COLUMNS)
        if (byId('cell').value !== id) return // another one was chosen meanwhile
        data.rows = rows
      }
      draw()
    } catch (error) {
      status.className = 'status bad'
      status.replaceChildren(both(`读取失败（${error.message}）。请通过 http 打开本站。`, 'Reading failed. Open the site over http.'))
    }
  }

  byId('cell').addEventListener('change', (event) => {
    history.replaceState(null, '', `#cell=${event.target.value}`)
    restart()
  })
  byId('zeros').addEventListener('change', () => data && draw())
  addEventListener('hashchange', restart)
  restart()
}
