import { _, Ajv } from 'ajv'
import { formats } from './option-formats.ts'
import { optionsSchema, type Options } from './options.ts'

/** Exported for the build, which makes the check code of its own: to make it at each start takes 35 ms and 8 MB. */
export const ajv = new Ajv({
  allErrors: true,
  useDefaults: true,
  verbose: true,
  strict: false,
  meta: false,
  validateSchema: false, // a test does
  formats,
  code: { optimize: false, source: true, esm: true, formats: _`require('./option-formats.ts').formats` }
})

/** Fills in defaults, and says what of the options is wrong. */
export const validate = ajv.compile<Options>(optionsSchema)
