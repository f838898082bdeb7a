// For `node --import`: has Node read TypeScript.
import { register } from 'node:module'

register('./hooks.js', import.meta.url)
// Kept tap's own reader, ts-node, from loading (see .taprc). What else it would do, tap need not do: Node strips no types here.
delete process.env.TAP_TYPE_STRIP_ONLY
