/** From best to worst. Warning: it works, but not for long or not as meant. Problem: something fails. */
export const severities = ['ok', 'note', 'warning', 'problem'] as const
export type Severity = typeof severities[number]

/** One line of a doctor's report. None of it is ever a secret. */
export interface Finding {
  /** Stable name of the check, for programs. */
  readonly check: string
  readonly severity: Severity
  /** What was looked at. */
  readonly looked: string
  readonly result: string
  /** The one command or line that mends it. */
  readonly mend?: string
  /** Origin of a base URL that leads here, by whatever name. */
  readonly origin?: string
}

/** Makes the findings about one thing that was looked at. */
export function subject (check: string, looked: string) {
  const as = (severity: Severity) => (result: string, mend?: string): Finding =>
    ({ check, severity, looked, result, ...(mend === undefined ? {} : { mend }) })
  return { ok: as('ok'), note: as('note'), warning: as('warning'), problem: as('problem') }
}

export type Subject = ReturnType<typeof subject>
