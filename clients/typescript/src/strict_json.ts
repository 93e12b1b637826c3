// Reads JSON without what JSON.parse does in silence: it takes the last of two members with one name, and rounds large
// numbers.

/** A string, a number, or a mark of the structure (RFC 8259, section 2). */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[{}[\]:,]/gs;
/** A number holds fifteen digits exactly. */
const EXACT_DIGITS = 15;

/**
 * Returns the value of JSON text. A whole number of more than fifteen digits is its digits as a string, as protobuf's
 * JSON writes it.
 *
 * @throws SyntaxError for text that is not JSON, and for an object that has one name twice
 */
export function parseStrict(text: string): unknown {
  JSON.parse(text); // what follows relies on the syntax
  // The names of each open object; an array has none.
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  const exact = text.replace(TOKEN, (token) => {
    const names = open.at(-1);
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : undefined);
    } else if (token === "}" || token === "]") {
      open.pop();
    } else if (isName && names !== undefined && token.startsWith('"')) {
      const name = JSON.parse(token) as string;
      if (names.has(name)) {
        throw new SyntaxError(`the name ${token} occurs twice in one object`);
      }
      names.add(name);
    }
    isName = token === "{" || (token === "," && open.at(-1) !== undefined);
    return /^[0-9]+$/.test(token) && token.length > EXACT_DIGITS ? `"${token}"` : token;
  });
  return JSON.parse(exact);
}
