// Exact figures: a decimal(18,4) is a BigInt of ten-thousandths, so that no figure is rounded on its way to the page.

export const SCALE = 4
const ONE = 10n ** BigInt(SCALE)

/** Exact text of a figure without trailing zeros. */
export function figureText(units) {
  const sign = units < 0n ? '-' : ''
  const size = units < 0n ? -units : units
  const rest = (size % ONE).toString().padStart(SCALE, '0').replace(/0+$/, '')
  return `${sign}${size / ONE}${rest && `.${rest}`}`
}

/** The figure that a text states, or undefined where it states none. */
export function parseFigure(text) {
  const found = /^\s*(-?)(\d{1,14})(?:\.(\d{1,4})0*)?\s*$/.exec(text.replace(/,/g, ''))
  if (!found) return undefined
  const units = BigInt(found[2]) * ONE + BigInt((found[3] ?? '').padEnd(SCALE, '0') || '0')
  return found[1] ? -units : units
}

/** The big-endian two's complement number in the bytes of a Parquet decimal. */
export function decimalOf(bytes, scale) {
  let value = 0n
  for (const byte of bytes) value = value << 8n | BigInt(byte)
  if (bytes[0] & 0x80) value -= 1n << BigInt(8 * bytes.length)
  return scale > SCALE ? value / 10n ** BigInt(scale - SCALE) : value * 10n ** BigInt(SCALE - scale)
}
