/** An edit that cannot be made; its words hold nothing of the file but names of keys. */
export class EditError extends Error {}
