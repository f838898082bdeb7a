/** Properties that a checked value always has: required ones, and those with a default. */
type Present<P, R> = { [K in keyof P]: P[K] extends { default: unknown } ? K : K extends R ? K : never }[keyof P]

type Members<P, R> =
  & { [K in Present<P, R>]: Described<P[K]> }
  & { [K in Exclude<keyof P, Present<P, R>>]?: Described<P[K]> }

/**
 * The type that a JSON schema describes once defaults are filled in, for as much of JSON Schema as the options need.
 * The libraries for this know all of it, but our declarations would then not work where they are not installed.
 */
export type Described<S> =
  S extends { enum: readonly (infer T)[] } ? T
    : S extends { type: 'string' } ? string
    : S extends { type: 'boolean' } ? boolean
      : S extends { type: 'integer' } ? number
        : S extends { type: 'array', items: infer I } ? Described<I>[]
          : S extends { properties: infer P, required: readonly (infer R)[] } ? Members<P, R>
            : S extends { properties: infer P } ? Members<P, never>
              : S extends { additionalProperties: infer V } ? Record<string, Described<V>> : never
