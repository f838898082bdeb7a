/** Elements of the status page. Every text goes in as text: nothing that the program reports becomes markup. */

/**
 * An element that the page has.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function part (id, kind) {
  const element = document.getElementById(id)
  if (!(element instanceof kind)) throw new Error(`the page has no ${id}`)
  return element
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Readonly<Record<string, string>>} attributes
 * @param {readonly (Node | string)[]} children
 */
export function make (name, attributes = {}, children = []) {
  const element = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value)
  element.append(...children)
  return element
}

/**
 * A new element of a drawing.
 * @param {string} name
 * @param {Readonly<Record<string, string | number>>} attributes
 * @param {readonly (Node | string)[]} children
 */
export function draw (name, attributes = {}, children = []) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value))
  element.append(...children)
  return element
}

/** @param {string} iso */
export const timeOf = iso => new Date(iso).toLocaleTimeString()

/**
 * Sets an element's text where it is another one: what is selected or being read stays.
 * @param {Element | undefined} element
 * @param {string} text
 */
export function put (element, text) {
  if (element && element.textContent !== text) element.textContent = text
}

/**
 * Makes the children of a parent those of the items. An element stays as long as its item, and so does the focus in it.
 * @template T
 * @template {HTMLElement} E
 * @param {HTMLElement} parent
 * @param {readonly T[]} items
 * @param {{ key: (item: T) => string, create: (item: T) => E, update?: (element: E, item: T) => void }} how
 */
export function keep (parent, items, { key, create, update }) {
  const focused = document.activeElement
  const before = new Map([...parent.children].map(child => [child.getAttribute('data-key'), child]))
  /** @type {Element | null} */
  let place = parent.firstElementChild
  for (const item of items) {
    const name = key(item)
    const element = /** @type {E} */ (before.get(name) ?? create(item))
    before.delete(name)
    element.setAttribute('data-key', name)
    update?.(element, item)
    if (element === place) place = place.nextElementSibling
    else parent.insertBefore(element, place)
  }
  for (const gone of before.values()) gone.remove()
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true })
}

/**
 * A table's row of empty cells. The roles stay where a narrow screen shows rows as blocks, and each cell then has its label.
 * @param {readonly string[]} labels
 */
export const makeRow = labels => make('tr', { role: 'row' }, labels.map(label => make('td', { role: 'cell', 'data-label': label })))

/**
 * Writes texts into the first cells of a row.
 * @param {HTMLElement} row
 * @param {readonly string[]} texts
 */
export function fillRow (row, texts) {
  texts.forEach((text, i) => { put(row.children[i], text) })
}

/**
 * A length of time in words.
 * @param {number} seconds
 */
export function length (seconds) {
  const [size, unit, small, smallUnit] = seconds < 3600 ? [60, 'min', 1, 's'] : seconds < 86_400 ? [3600, 'h', 60, 'min'] : [86_400, 'd', 3600, 'h']
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / size)} ${unit} ${Math.floor(seconds % size / small)} ${smallUnit}`
}
