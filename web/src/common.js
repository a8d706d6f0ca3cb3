// What every page has: the choice of language, filters over lists, copying, one chart out of several.
import { byId } from './text.js'

const KEY = 'gongkai-lang'
const LANGS = ['both', 'zh', 'en']

function stored() {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null // storage may be forbidden; the choice then lasts for the page
  }
}

function languages() {
  const group = byId('langs')
  const choose = (lang) => {
    document.documentElement.dataset.lang = lang
    document.documentElement.lang = lang === 'en' ? 'en' : 'zh-CN'
    for (const button of group.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.dataset.lang === lang))
    }
  }
  const given = stored()
  choose(LANGS.includes(given) ? given : 'both')
  group.hidden = false
  group.addEventListener('click', (event) => {
    const { lang } = event.target.closest('button')?.dataset ?? {}
    if (!lang) return
    choose(lang)
    try {
      localStorage.setItem(KEY, lang)
    } catch {
      // as above
    }
  })
}

/** A search field above a list or table that hides what does not match. */
function filters() {
  for (const field of document.querySelectorAll('[data-filter]')) {
    field.hidden = false
    field.querySelector('input').addEventListener('input', (event) => {
      const wanted = event.target.value.trim().toLowerCase()
      for (const line of document.querySelectorAll(field.dataset.filter)) {
        line.hidden = !line.textContent.toLowerCase().includes(wanted)
      }
    })
  }
}

/** Texts that hold the site's own address, which only the browser knows; buttons that copy them. */
function codes() {
  for (const text of document.querySelectorAll('[data-fill]')) {
    const target = text.querySelector('code') ?? text
    const address = new URL('.', location.href)
    target.textContent = target.textContent
      .replaceAll('{BASE}', new URL(text.dataset.fill, address).href)
      .replaceAll('{URL}', new URL('index.html', address).href)
  }
  for (const button of document.querySelectorAll('[data-copy]')) {
    if (!navigator.clipboard) continue
    button.hidden = false
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector('pre').textContent)
      button.textContent = '✓'
      setTimeout(() => { button.textContent = '复制 Copy' }, 1500)
    })
  }
}

/** Several charts of which one is shown; without script all are. */
function choices() {
  for (const group of document.querySelectorAll('[data-choice]')) {
    const buttons = [...group.querySelectorAll('button')]
    const choose = (chosen) => {
      for (const button of buttons) {
        button.setAttribute('aria-pressed', String(button === chosen))
        byId(button.dataset.show).hidden = button !== chosen
      }
    }
    group.hidden = false
    choose(buttons[0])
    group.addEventListener('click', (event) => {
      const button = event.target.closest('button')
      if (button) choose(button)
    })
  }
}

export function start() {
  languages()
  filters()
  codes()
  choices()
}
