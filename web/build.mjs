// Builds the portal's script and style sheet into the folder given as the argument: the same sources, the same bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const target = process.argv[2]
if (!target) {
  console.error('usage: node build.mjs FOLDER')
  process.exit(2)
}
const { version } = JSON.parse(readFileSync(join(here, 'node_modules/hyparquet/package.json'), 'utf8'))
await esbuild.build({
  absWorkingDir: here,
  entryPoints: ['src/portal.js', 'src/portal.css'],
  outdir: target,
  bundle: true,
  format: 'esm',
  target: ['es2022'],
  charset: 'utf8',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  banner: { js: `/* Gongkai portal; contains hyparquet ${version} (MIT). Licences: LICENSES.txt */` },
})
const licence = readFileSync(join(here, 'node_modules/hyparquet/LICENSE'), 'utf8').trim()
writeFileSync(join(target, 'LICENSES.txt'), `portal.js contains hyparquet ${version} (https://github.com/hyparam/hyparquet):\n\n${licence}\n\nEverything else: Apache-2.0, as the project.\n`)
