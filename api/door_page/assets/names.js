// Finds visitors by name, in the list of this phone.

const MOST = 8;

/** Without accents and case: `Müller` is found by `muller`. */
export function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Those in whose name each of the words begins a word. `{found, more}`: more than are shown. */
export function search(visitors, text) {
  const words = folded(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return { found: [], more: false };
  const found = [];
  for (const visitor of visitors) {
    if (!visitor.full_name) continue;
    const name = ` ${folded(visitor.full_name)}`;
    if (words.every((word) => name.includes(` ${word}`))) found.push(visitor);
    if (found.length > MOST) break;
  }
  return { found: found.slice(0, MOST), more: found.length > MOST };
}
