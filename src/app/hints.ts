import { SidecarError } from '../answers/errors.ts'
import type { Credential } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import { hintOf, isOfLogin, type NewerLogins } from '../status/newer.ts'
import type { Decision, Guard } from '../verdict/guard.ts'

/** A guard whose refusals say where a newer login lies on this machine's disk. Only refusals wait for the look at it. */
export function hintedGuard (guard: Guard, newer: NewerLogins, now: () => number): Guard {
  const hinted = (decision: Decision, { code, detail, named, fields }: SidecarError): Decision => {
    const found = newer.of(newer.compared(decision.credential as Credential), now()) // what is refused so is always one
    return found === undefined ? decision : { ...decision, refusal: new SidecarError(code, { detail, named, fields, advice: hintOf(found) }) }
  }
  const add = (decision: Decision): Decision | Promise<Decision> => {
    const { refusal } = decision
    if (refusal === undefined || !isOfLogin(refusal.code)) return decision
    return newer.fresh ? hinted(decision, refusal) : newer.look().then(() => hinted(decision, refusal))
  }
  return (presentation: Presentation) => {
    const decision = guard(presentation)
    return decision instanceof Promise ? decision.then(add) : add(decision)
  }
}
