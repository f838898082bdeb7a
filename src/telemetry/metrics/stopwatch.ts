import type { Metric, Registry } from 'prom-client'

/** Durations of one label value: how many lie in each bucket, the last one being for all above, and their sum, seconds. */
interface Observed { readonly buckets: number[], sum: number }

export interface StopwatchOptions {
  name: string
  help: string
  /** Name of the one label, if there is one. */
  label?: string
  /** Upper bounds, seconds, from small to large. */
  buckets: readonly number[]
}

/**
 * A histogram of durations. prom-client's own checks, sorts and hashes the labels of every observation; here numbers are
 * counted up, and the rest is done when the metrics are asked for.
 */
export function createStopwatch (registry: Registry, { name, help, label, buckets: bounds }: StopwatchOptions) {
  const observed = new Map<string, Observed>()
  const labelsOf = (value: string): Record<string, string> => label === undefined ? {} : { [label]: value }
  const valuesOf = ([value, { buckets, sum }]: [string, Observed]) => {
    const labels = labelsOf(value)
    let count = 0
    const cumulated = buckets.map((some, i) => ({ metricName: `${name}_bucket`, labels: { le: bounds[i] ?? '+Inf', ...labels }, value: count += some }))
    return [...cumulated, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: count }]
  }
  const metric = { name, get: async () => Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: [...observed].flatMap(valuesOf) }) }
  registry.registerMetric(metric as unknown as Metric)
  return {
    /** Takes in a duration, ms. */
    took (ms: number, value = ''): void {
      const seconds = ms / 1000
      let of = observed.get(value)
      if (of === undefined) observed.set(value, of = { buckets: [...bounds, Infinity].fill(0), sum: 0 })
      let bucket = 0
      while (seconds > (bounds[bucket] as number)) bucket++
      of.buckets[bucket] = of.buckets[bucket] as number + 1
      of.sum += seconds
    }
  }
}
