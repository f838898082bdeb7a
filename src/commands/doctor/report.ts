import { severities, type Finding, type Severity } from './finding.ts'

/** The worst severity there is; ok where there is nothing. */
export const worstOf = (findings: readonly Finding[]): Severity =>
  severities[Math.max(0, ...findings.map(({ severity }) => severities.indexOf(severity)))] as Severity

const indent = ' '.repeat('problem'.length + 2)

const lineOf = ({ severity, looked, result, mend }: Finding): string =>
  `${severity.padEnd(indent.length)}${looked}: ${result}\n${mend === undefined ? '' : `${indent}-> ${mend}\n`}`

/** A line for each finding, what mends it below, and the count at the end. */
export function humanText (findings: readonly Finding[]): string {
  const counted = severities.map(wanted => {
    const n = findings.filter(({ severity }) => severity === wanted).length
    return `${n} ${wanted}${n === 1 || wanted === 'ok' ? '' : 's'}`
  })
  return `${findings.map(lineOf).join('')}${counted.reverse().join(', ')}\n`
}

/** The same for programs. */
export const jsonText = (findings: readonly Finding[]): string =>
  `${JSON.stringify({ worst: worstOf(findings), findings }, undefined, 2)}\n`
