import { openFaultUpstream } from '../fixtures/fault-upstream.ts'

/** The fault upstream as a process of its own; it ends with the one that started it. */
const upstream = await openFaultUpstream()
process.on('disconnect', () => process.exit())
process.send?.({ origins: upstream.origins, ca: upstream.ca })
