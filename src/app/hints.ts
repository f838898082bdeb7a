import { SidecarError } from '../answers/errors.ts'
import type { Presentation } from '../credential/presentation.ts'
import { hintOf, isOfLogin, type NewerLogins } from '../status/newer.ts'
import type { Decision, Guard } from '../verdict/guard.ts'

/** A guard whose refusals say where a newer login lies on this machine's disk. Only refusals wait for the look at it. */
export function hintedGuard (guard: Guard, newer: NewerLogins, now: () => number): Guard {
  const hinted = (decision: Decision): Decision => {
    const { refusal, credential } = decision
    if (refusal === undefined || credential === undefined) return decision
    const found = newer.of(newer.compared(credential), now())
    const { code, detail, named, fields } = refusal
    return found === undefined ? decision : { ...decision, refusal: new SidecarError(code, { detail, named, fields, advice: hintOf(found) }) }
  }
  const add = (decision: Decision): Decision | Promise<Decision> => {
    if (decision.refusal === undefined || !isOfLogin(decision.refusal.code)) return decision
    return newer.fresh ? hinted(decision) : newer.look().then(() => hinted(decision))
  }
  return (presentation: Presentation) => {
    const decision = guard(presentation)
    return decision instanceof Promise ? decision.then(add) : add(decision)
  }
}
