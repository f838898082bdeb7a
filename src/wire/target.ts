/** A request target's path, without its query. */
export function pathOf (target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** RFC 9112 section 3.2.2: a server must take the absolute form too; only its path says where to go. */
export const originForm = (target: string): string => {
  if (target.startsWith('/')) return target
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return rest.startsWith('/') || target === rest ? rest : `/${rest}`
}
