/** The same text, latin1, by itself: a part of a text holds all of that, which may be 64 KB of a stream that goes on for hours. */
export const detached = (part: string): string => Buffer.from(part, 'latin1').toString('latin1')
