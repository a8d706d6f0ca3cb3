// A published Parquet file, read by range requests: only the parts that a page needs are fetched.
import { asyncBufferFromUrl, cachedAsyncBuffer, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { decimalOf } from './figures.js'

// A file below this size comes whole, in one request; of a larger one only the row groups that are needed.
const SMALL = 1 << 16

// A table of more rows is not kept whole in memory, nor is more of it shown at once.
export const MOST_ROWS = 400_000

export class TooMany extends Error {}

/**
 * Opens a file. Figures arrive exact: decimals as BigInt in ten-thousandths (see figures.js), whole numbers as number.
 * `kinds` tells text, whole, decimal or boolean by column.
 */
export async function openParquet(url, byteLength) {
  const source = await asyncBufferFromUrl({ url, byteLength })
  const traffic = { bytes: 0 }
  const file = cachedAsyncBuffer({
    byteLength: source.byteLength,
    async slice(start, end) {
      const part = await source.slice(start, end)
      traffic.bytes += part.byteLength
      return part
    },
  }, { minSize: SMALL })
  // The footer alone first: the rest is fetched as it is needed.
  const metadata = await parquetMetadataAsync(file, { initialFetchSize: SMALL >> 2 })
  const kinds = {}
  const decimals = {}
  for (const element of metadata.schema) {
    if (!element.type) continue
    if (element.converted_type === 'DECIMAL' && element.type === 'FIXED_LEN_BYTE_ARRAY') {
      // The library would turn it into a floating-point number; as plain bytes it stays exact.
      decimals[element.name] = element.scale ?? 0
      delete element.converted_type
      delete element.logical_type
      kinds[element.name] = 'decimal'
    } else if (element.type === 'BOOLEAN') kinds[element.name] = 'boolean'
    else if (element.type.startsWith('INT')) kinds[element.name] = 'whole'
    else kinds[element.name] = 'text'
  }
  const columns = Object.keys(kinds)

  function exact(row, wanted) {
    for (const [name, scale] of Object.entries(decimals)) {
      if (row[name] !== undefined && row[name] !== null) row[name] = decimalOf(row[name], scale)
    }
    for (const name of wanted) {
      if (kinds[name] === 'whole' && typeof row[name] === 'bigint') row[name] = Number(row[name])
      if (row[name] === undefined) row[name] = null
    }
    return row
  }

  /** The rows from `start` up to `end`, all of them without arguments; of `wanted` columns, or of every column. */
  async function rows(start, end, wanted = columns) {
    const found = await parquetReadObjects({ file, metadata, rowStart: start, rowEnd: end, columns: wanted })
    return found.map((row) => exact(row, wanted))
  }

  return {
    columns,
    kinds,
    traffic,
    byteLength: source.byteLength,
    rowCount: Number(metadata.num_rows),
    rows,
    /**
     * The rows that `test` keeps, of `wanted` columns, group after group: no more than one group stands in memory.
     * Throws TooMany where it keeps more than `most`.
     */
    async filtered(test, wanted, most = MOST_ROWS) {
      const found = []
      let start = 0
      for (const group of metadata.row_groups) {
        const end = start + Number(group.num_rows)
        for (const row of await rows(start, end, wanted)) if (test(row)) found.push(row)
        if (found.length > most) throw new TooMany(most)
        start = end
      }
      return found
    },
  }
}
