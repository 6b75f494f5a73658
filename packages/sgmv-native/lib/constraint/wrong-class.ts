/**
 * Classes with members beyond ASCII (`[α-ω]`, `[äöü]`), in a pattern or a grammar. XGrammar's automata take other
 * characters for them, so that a text could break the constraint.
 */
const CLASS = /\[(?:\\.|[^\]\\])*\]/gsu;
const MEMBER = /\\[xuU]\{?([0-9A-Fa-f]+)\}?|[^\\]/gsu;
const STRING_OR_COMMENT = /"(?:\\.|[^"\\])*"|#.*/gu;

function isWrong(text: string): boolean {
  const codes = [...text.matchAll(MEMBER)].map(([member, hex]) =>
    hex === undefined ? member.codePointAt(0)! : Number.parseInt(hex, 16),
  );
  return codes.some((code) => code > 0x7f);
}

/** The first such class; undefined: there is none. */
export function findWrongClass(kind: 'regex' | 'grammar', text: string): string | undefined {
  // In a grammar a bracket within a string, or a comment, begins no class; a pattern has neither.
  const code = kind === 'regex' ? text : text.replace(STRING_OR_COMMENT, '');
  return code.match(CLASS)?.find(isWrong);
}
