/** What programs import: `import { buildApp, loadConfig } from 'codex-sidecar'`. */
export { buildApp, type AppOptions } from './app.ts'
export { ConfigError, loadConfig, type Config, type ConfigSources } from './config.ts'
export { createLog, type LogOptions } from './log.ts'
