// The explorer: one table of the release, filtered, sorted and paged in the browser.
import { figureText, parseFigure } from './figures.js'
import { MOST_ROWS, TooMany, openParquet } from './parquet.js'
import { both, byId, bytesText, config, el, visible } from './text.js'

const SIZES = ['25', '50', '100']
// The same in every row of a release, or said by the cell's id already: shown on demand.
const PLAIN = ['region', 'year']
const OF_CELL = ['table', 'row', 'column']

export function textOf(value, kind) {
  if (value === null) return ''
  return kind === 'decimal' ? figureText(value) : String(value)
}

/** A test for one column's condition, or undefined for an empty one. Figures: >1 <=2 =0 空; text: a part of it. */
export function condition(text, kind, meaning = () => '') {
  const wanted = text.trim().toLowerCase()
  if (!wanted) return undefined
  if (wanted === '空' || wanted === 'empty') return (value) => value === null
  const found = /^(>=|<=|>|<|=)?\s*(.+)$/.exec(wanted)
  const number = kind === 'decimal' || kind === 'whole' ? parseFigure(found[2]) : undefined
  if (number !== undefined) {
    const compare = {
      '>': (a) => a > number, '<': (a) => a < number, '>=': (a) => a >= number, '<=': (a) => a <= number,
      '=': (a) => a === number,
    }[found[1] ?? '=']
    const scaled = kind === 'decimal' ? (value) => value : (value) => BigInt(value) * 10000n
    return (value) => value !== null && compare(scaled(value))
  }
  return (value) => value !== null && (textOf(value, kind).toLowerCase().includes(wanted) ||
    meaning(value).toLowerCase().includes(wanted))
}

export function compareValues(a, b) {
  if (a === null || b === null) return (a === null) - (b === null)
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return a < b ? -1 : a > b ? 1 : 0
}

/** One CSV value that no spreadsheet program takes for a formula. */
export function csvValue(text, kind) {
  const safe = kind === 'text' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe
}

export function start() {
  const { tables, words } = config()
  const opened = new Map()
  let state
  let shown = []
  let turn = 0

  const meanings = {
    body: (value) => words.bodies[value] ?? '',
    cell: (value) => words.cells[value]?.slice(0, 2).join(' ') ?? '',
    suspected: (value) => words.cells[value]?.slice(0, 2).join(' ') ?? '',
  }
  const meaningOf = (name) => meanings[name] ?? (() => '')
  const table = () => tables.find((one) => one.id === state.table)

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1))
    const filters = {}
    for (const [key, value] of given) if (key.startsWith('f.')) filters[key.slice(2)] = value
    state = {
      table: tables.some((one) => one.id === given.get('table')) ? given.get('table') : 'county_totals',
      search: given.get('q') ?? '',
      sort: given.get('sort') ?? '',
      down: given.get('down') === '1',
      page: Math.max(0, Number.parseInt(given.get('page') ?? '1', 10) - 1 || 0),
      size: SIZES.includes(given.get('size')) ? Number(given.get('size')) : 25,
      filters,
      all: given.get('all') === '1',
    }
  }

  function writeAddress() {
    const given = new URLSearchParams({ table: state.table })
    if (state.search) given.set('q', state.search)
    for (const [name, value] of Object.entries(state.filters)) if (value) given.set(`f.${name}`, value)
    if (state.sort) given.set('sort', state.sort)
    if (state.sort && state.down) given.set('down', '1')
    if (state.page) given.set('page', String(state.page + 1))
    if (state.all) given.set('all', '1')
    if (state.size !== 25) given.set('size', String(state.size))
    history.replaceState(null, '', `#${given}`)
  }

  async function open() {
    if (!opened.has(state.table)) {
      const made = openParquet(table().file, table().bytes).then((file) => ({ file, all: undefined }))
      opened.set(state.table, made)
      made.catch(() => opened.delete(state.table))
    }
    return opened.get(state.table)
  }

  function tests(file) {
    const made = []
    for (const name of file.columns) {
      const test = condition(state.filters[name] ?? '', file.kinds[name], meaningOf(name))
      if (test) made.push((row) => test(row[name]))
    }
    for (const part of state.search.trim().toLowerCase().split(/\s+/)) {
      if (part) {
        made.push((row) => file.columns.some((name) => row[name] !== null &&
          (textOf(row[name], file.kinds[name]).toLowerCase().includes(part) ||
            meaningOf(name)(row[name]).toLowerCase().includes(part))))
      }
    }
    return made
  }

  /** The rows that the conditions leave, and those of this page. Without conditions only the page itself is fetched. */
  async function select(one) {
    const { file } = one
    const conditions = tests(file)
    if (!conditions.length && !state.sort) {
      const pages = Math.max(1, Math.ceil(file.rowCount / state.size))
      state.page = Math.min(state.page, pages - 1)
      const from = state.page * state.size
      const rows = await file.rows(from, Math.min(from + state.size, file.rowCount))
      return { total: file.rowCount, rows, all: undefined }
    }
    const test = (row) => conditions.every((holds) => holds(row))
    const long = file.rowCount > MOST_ROWS
    if (!long) one.all ??= await file.rows()
    const all = long ? await file.filtered(test) : one.all.filter(test)
    if (state.sort && file.columns.includes(state.sort)) {
      all.sort((a, b) => compareValues(a[state.sort], b[state.sort]) * (state.down ? -1 : 1))
    }
    state.page = Math.min(state.page, Math.max(0, Math.ceil(all.length / state.size) - 1))
    return { total: all.length, rows: all.slice(state.page * state.size, (state.page + 1) * state.size), all }
  }

  function cell(name, value, kind) {
    if (value === null) return el('td', { class: 'null' }, '—')
    const made = el('td', { class: kind === 'decimal' || kind === 'whole' ? 'num' : undefined }, textOf(value, kind))
    const meaning = meaningOf(name)(value)
    if (meaning) made.append(el('small', {}, meaning))
    return made
  }

  function columnsOf(file) {
    if (state.all) return file.columns
    const hidden = file.columns.includes('value') && file.columns.includes('cell') ? [...PLAIN, ...OF_CELL] : PLAIN
    return file.columns.filter((name) => !hidden.includes(name))
  }

  function drawHead(file) {
    const titles = Object.fromEntries(table().fields.map((field) => [field.name, field]))
    const line = el('tr')
    for (const name of columnsOf(file)) {
      const field = titles[name] ?? { title_zh: name, title_en: name }
      const sorted = state.sort === name
      const button = el('button', { type: 'button', 'data-sort': name })
      button.append(both(field.title_zh, field.title_en), sorted ? (state.down ? ' ▼' : ' ▲') : '')
      const input = el('input', {
        type: 'text', 'data-filter-column': name, autocomplete: 'off', spellcheck: 'false',
        'aria-label': `筛选 Filter: ${field.title_zh} ${field.title_en}`,
      })
      input.value = state.filters[name] ?? ''
      line.append(el('th', { scope: 'col', 'aria-sort': sorted ? (state.down ? 'descending' : 'ascending') : undefined },
        button, el('code', {}, name), input))
    }
    byId('rows').tHead.replaceChildren(line)
  }

  async function draw(head = true) {
    const mine = ++turn
    const status = byId('status')
    status.className = 'status'
    byId('rows').setAttribute('aria-busy', 'true')
    try {
      const one = await open()
      const { total, rows, all } = await select(one)
      if (mine !== turn) return
      const { file } = one
      shown = { file, all, rows }
      if (head) drawHead(file)
      byId('rows').tBodies[0].replaceChildren(...rows.map((row) =>
        el('tr', {}, ...columnsOf(file).map((name) => cell(name, row[name], file.kinds[name])))))
      const pages = Math.max(1, Math.ceil(total / state.size))
      byId('place').replaceChildren(`${state.page + 1} / ${pages}`)
      for (const id of ['first', 'previous']) byId(id).disabled = state.page === 0
      for (const id of ['next', 'last']) byId(id).disabled = state.page >= pages - 1
      status.replaceChildren(both(
        `${total.toLocaleString('en')} 行${total === file.rowCount ? '' : `（共 ${file.rowCount.toLocaleString('en')} 行）`}，已读取 ${bytesText(file.traffic.bytes)} / ${bytesText(file.byteLength)}。`,
        `${total.toLocaleString('en')} rows; ${bytesText(file.traffic.bytes)} of ${bytesText(file.byteLength)} read.`))
      writeAddress()
    } catch (error) {
      if (mine !== turn) return
      status.className = 'status bad'
      status.replaceChildren(error instanceof TooMany ? both(
        `符合条件的超过 ${error.message} 行，请再加条件，或直接下载文件。`,
        `More than ${error.message} rows; narrow the conditions, or download the file.`) : both(
        `读取失败（${error.message}）。请确认是通过 http 打开本站（本机可用 gongkai portal），或直接下载文件。`,
        'Reading failed. Open the site over http (gongkai portal serves it locally), or download the file.'))
    } finally {
      if (mine === turn) byId('rows').removeAttribute('aria-busy')
    }
  }

  async function save() {
    const { file } = shown
    if (!shown.all && file.rowCount > MOST_ROWS) {
      el('a', { href: table().file.replace(/parquet$/, 'csv'), download: '' }).click()
      return
    }
    const rows = shown.all ?? await file.rows()
    const lines = [file.columns.join(',')]
    for (const row of rows) lines.push(file.columns.map((name) => csvValue(textOf(row[name], file.kinds[name]), file.kinds[name])).join(','))
    const address = URL.createObjectURL(new Blob(['\ufeff', lines.join('\r\n'), '\r\n'], { type: 'text/csv' }))
    el('a', { href: address, download: `${state.table}-filtered.csv` }).click()
    setTimeout(() => URL.revokeObjectURL(address), 10000)
  }

  function restart() {
    readAddress()
    byId('table').value = state.table
    byId('search').value = state.search
    byId('size').value = String(state.size)
    byId('all').checked = state.all
    draw()
  }

  for (const one of tables) {
    byId('table').append(el('option', { value: one.id }, `${one.title_zh} ${one.title_en} (${one.id})`))
  }
  let waiting
  const soon = (change) => {
    clearTimeout(waiting)
    waiting = setTimeout(() => { change(); state.page = 0; draw(false) }, 180)
  }
  byId('table').addEventListener('change', (event) => {
    state = { ...state, table: event.target.value, sort: '', down: false, page: 0, filters: {} }
    draw()
  })
  byId('size').addEventListener('change', (event) => { state.size = Number(event.target.value); state.page = 0; draw(false) })
  byId('all').addEventListener('change', (event) => { state.all = event.target.checked; draw() })
  byId('search').addEventListener('input', (event) => soon(() => { state.search = event.target.value }))
  byId('rows').addEventListener('input', (event) => {
    const name = event.target.dataset.filterColumn
    if (name) soon(() => { state.filters[name] = event.target.value })
  })
  byId('rows').addEventListener('click', (event) => {
    const name = event.target.closest('[data-sort]')?.dataset.sort
    if (!name) return
    if (state.sort !== name) Object.assign(state, { sort: name, down: false })
    else if (!state.down) state.down = true
    else Object.assign(state, { sort: '', down: false })
    state.page = 0
    draw().then(() => byId('rows').querySelector(`[data-sort="${CSS.escape(name)}"]`)?.focus())
  })
  for (const [id, move] of Object.entries({
    first: () => 0, previous: (page) => page - 1, next: (page) => page + 1, last: () => Infinity,
  })) {
    byId(id).addEventListener('click', () => {
      state.page = Math.max(0, move(state.page))
      draw(false)
    })
  }
  byId('clear').addEventListener('click', () => {
    Object.assign(state, { search: '', sort: '', down: false, page: 0, filters: {} })
    byId('search').value = ''
    draw()
  })
  byId('export').addEventListener('click', save)
  addEventListener('hashchange', restart)
  byId('explore').hidden = false
  restart()
}
