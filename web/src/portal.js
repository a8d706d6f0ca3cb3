// The portal's one script: what every page has, then what the page at hand needs.
import { start as catalogue } from './catalogue.js'
import { start as common } from './common.js'
import { start as explore } from './explore.js'
import { start as trace } from './trace.js'
import { start as verify } from './verify.js'

common()
const pages = { catalogue, explore, trace, download: verify }
pages[document.body.dataset.page]?.()
