import type { FastifyInstance } from 'fastify'
import { ownFile } from '../config/package-files.ts'

/** What the page is made of, each with its type. These files are packed as they are: no build touches them. */
const files = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'dom.js': 'text/javascript; charset=utf-8',
  'view.js': 'text/javascript; charset=utf-8',
  'credentials.js': 'text/javascript; charset=utf-8',
  'refusals.js': 'text/javascript; charset=utf-8',
  'picture.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml'
} as const

/** Nothing from elsewhere, nothing inline, no text that becomes markup, in nobody's frame. */
const policy = [
  'default-src \'none\'', 'script-src \'self\'', 'style-src \'self\'', 'img-src \'self\'', 'connect-src \'self\'',
  'base-uri \'none\'', 'form-action \'none\'', 'frame-ancestors \'none\'', 'require-trusted-types-for \'script\'', 'trusted-types \'none\''
].join('; ')

/** What goes with every answer of the status, page and JSON. */
export const statusHeaders = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
  Vary: 'Accept'
}

/** One file of the page. */
export interface PageFile { readonly type: string, readonly text: string }

/**
 * Serves what the page asks for.
 * @returns the page itself
 */
export function mountPage (scope: FastifyInstance): PageFile {
  const read = (name: keyof typeof files): PageFile => ({ type: files[name], text: ownFile(`src/status/page/${name}`) })
  for (const name of ['page.css', 'page.js', 'dom.js', 'view.js', 'credentials.js', 'refusals.js', 'picture.js', 'icon.svg'] as const) {
    const { type, text } = read(name)
    scope.get(`/status/${name}`, (_request, reply) => reply.type(type).send(text))
  }
  return read('index.html')
}
