// Verify a download: its SHA-256, computed here, beside those of every release of this dataset.
import { both, byId, bytesText, config, el } from './text.js'

const secure = () => globalThis.crypto?.subtle !== undefined

export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function start() {
  const { hashes } = config()
  const current = new Set(hashes.slice(0, 1).map((one) => one.href.split('/')[1]))

  async function judge(file) {
    const line = el('li', {}, el('strong', {}, file.name), ' ', bytesText(file.size), ' ')
    byId('verdicts').append(line)
    const waiting = el('span', {}, '…')
    line.append(waiting)
    try {
      const digest = await sha256(await file.arrayBuffer())
      const matches = hashes.filter((one) => one.sha256 === digest)
      waiting.remove()
      if (matches.length) {
        const newest = matches.some((one) => current.has(one.href.split('/')[1]))
        line.append(el('span', { class: 'good' }, both(
          newest ? '✓ 与现行版本一致' : '✓ 真实，但属于以前的版本',
          newest ? 'Genuine, current release' : 'Genuine, but of an earlier release')),
        ' ', el('code', {}, matches[0].href))
      } else {
        line.append(el('span', { class: 'bad' }, both('✗ 不是本数据集发布的文件，或已被改动', 'Not a published file of this dataset, or altered')))
      }
      line.append(el('br'), el('code', {}, `SHA-256 ${digest}`))
    } catch {
      waiting.replaceWith(el('span', { class: 'bad' }, both('✗ 文件读不出来，请重新选择', 'The file cannot be read; choose it again')))
    }
  }

  const drop = byId('verify')
  if (!secure()) {
    byId('verdicts').append(el('li', {}, both(
      '浏览器只在 https 或本机地址下提供 SHA-256；请改用 sha256sum 或 certutil。',
      'Browsers offer SHA-256 over https or on localhost alone; use sha256sum or certutil instead.')))
    return
  }
  drop.hidden = false
  byId('file').addEventListener('change', async (event) => {
    byId('verdicts').replaceChildren()
    for (const file of event.target.files) await judge(file)
  })
  for (const kind of ['dragover', 'dragleave', 'drop']) {
    drop.addEventListener(kind, async (event) => {
      event.preventDefault()
      drop.classList.toggle('over', kind === 'dragover')
      if (kind === 'drop') {
        byId('verdicts').replaceChildren()
        for (const file of event.dataTransfer.files) await judge(file)
      }
    })
  }
  for (const button of document.querySelectorAll('[data-check]')) {
    button.hidden = false
    button.addEventListener('click', async () => {
      const output = button.parentElement.querySelector('output')
      const expected = hashes.find((one) => one.href === button.dataset.check)
      button.disabled = true
      output.replaceChildren('…')
      try {
        const answer = await fetch(button.dataset.check, { cache: 'no-store' })
        if (!answer.ok) throw new Error(String(answer.status))
        const found = await sha256(await answer.arrayBuffer())
        output.className = found === expected.sha256 ? 'good' : 'bad'
        output.replaceChildren(found === expected.sha256
          ? both('✓ 网上的文件与校验值一致', 'The file online matches its checksum')
          : both('✗ 不一致', 'Differs'))
      } catch {
        output.className = 'bad'
        output.replaceChildren(both('✗ 取不到文件', 'The file could not be fetched'))
      }
      button.disabled = false
    })
  }
}
