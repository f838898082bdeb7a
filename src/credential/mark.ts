import { hash } from 'node:crypto'
import type { Owned } from './kind.ts'

/** Hex digits of a mark. */
const DIGITS = 16

/** A digest by which others who have the text can tell that it is the same, and nobody else can tell anything. The salt is no secret. */
export const markOf = (salt: string, text: string): string => hash('sha256', `${salt}\n${text}`).slice(0, DIGITS)

/** The mark of whose a login is; null where it does not say so. */
export const holderMark = (salt: string, { holder }: Owned): string | null => holder === undefined ? null : markOf(salt, holder)
