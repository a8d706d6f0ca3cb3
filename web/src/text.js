// Words and numbers on the page: nothing here ever becomes markup.

// Characters that turn the direction of a line, steer, or do not show: shown by their code instead.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Cs}]/gu

export function visible(text) {
  return text.replace(HIDDEN, (c) => c === '\n' || c === '\t' ? c
    : `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
}

/** An element with text or children; every string becomes a text node. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue
    if (key === 'class') made.className = value
    else made.setAttribute(key, value === true ? '' : value)
  }
  for (const child of children) made.append(typeof child === 'string' ? visible(child) : child)
  return made
}

/** Chinese and English side by side, as the templates write them. */
export function both(zh, en) {
  const made = document.createDocumentFragment()
  made.append(el('span', { class: 'zh' }, zh), ' ', el('span', { class: 'en', lang: 'en' }, en))
  return made
}

/** A figure for people: 12345.6 -> 12,345.6. Takes and gives exact text. */
export function grouped(text) {
  const [, sign, whole, rest] = /^(-?)(\d+)(\..*)?$/.exec(text) ?? [, '', text, '']
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, ',') + (rest ?? '')
}

/** An amount of bytes in units of 1,000. */
export function bytesText(count) {
  if (count < 1000) return `${count} B`
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

export const byId = (id) => document.getElementById(id)

export function config() {
  return JSON.parse(byId('config').textContent)
}
