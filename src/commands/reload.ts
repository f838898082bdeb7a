import { buildApp } from '../app/app.ts'
import type { Listener } from '../app/listener.ts'
import { loadConfig, type Config, type ConfigError, type ConfigSources } from '../config/config.ts'
import type { Log } from '../telemetry/log.ts'

/** What only a start looks at. */
const fixed = ['host', 'port', 'serverInfo'] as const

/** The new configuration, but for what stays as it was until a restart. */
function keepFixed (config: Config, old: Config, log: Log): Config {
  for (const name of fixed) {
    if (config[name] !== old[name]) log.warn(`${name} stays ${JSON.stringify(old[name])} until a restart`)
  }
  return { ...config, ...Object.fromEntries(fixed.map(name => [name, old[name]])) }
}

/**
 * Reads the configuration again for all requests from now on; what is under way ends under the old one. One with
 * mistakes changes nothing. What is held against tokens is released in any case.
 * @returns the configuration that holds now
 */
export async function reload (sources: ConfigSources, listener: Listener, log: Log): Promise<Config> {
  const { generation: before } = listener.app
  log.info({ released: before.verdicts.release() }, 'released what was held against tokens')
  try {
    const config = keepFixed(loadConfig(sources), before.config, log)
    await listener.replace(buildApp({ config, log, before }))
    log.level = config.logLevel
    log.info('new requests have the configuration as it is now')
    return config
  } catch (error) {
    log.error({ error: (error as Error).name, mistakes: (error as Partial<ConfigError>).mistakes }, 'the configuration cannot be used, so the old one stays')
    return before.config
  }
}
