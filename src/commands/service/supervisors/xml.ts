const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text as XML has it between tags and in attributes. */
export const xmlText = (text: string): string => text.replace(/[&<>"]/g, character => entities[character] as string)

/** An element on lines of its own where it holds others, else on one. */
export const element = (name: string, content: string | readonly string[], attributes = ''): string =>
  typeof content === 'string'
    ? `<${name}${attributes}>${xmlText(content)}</${name}>`
    : `<${name}${attributes}>\n${content.join('\n').replace(/^/gm, '  ')}\n</${name}>`
