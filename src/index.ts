/** What programs import: `import { buildApp, loadConfig } from 'codex-sidecar'`. */
export { buildApp, type AppOptions } from './app/app.ts'
export { ConfigError, loadConfig, type Config, type ConfigSources } from './config/config.ts'
export { createLog, type Log, type LogOptions } from './telemetry/log.ts'
