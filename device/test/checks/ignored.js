/** Calls of all functions whose result has to be looked at, which do not look at it. */

/** @param {string} header text of a header */
export function mustCheck(header) {
  const code = header.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^#.*(?:\\\n.*)*$/gm, '');
  const found = [...code.matchAll(/USMP_MUST_CHECK\s+([^;{}]*?)\b(\w+)\(([^;]*?)\)\s*;/g)];
  return found.map(([, , name, parameters]) => ({
    name,
    arguments: parameters.split(',').map((parameter) => zero(parameter.trim())),
  }));
}

/** A value of the type of a parameter. @param {string} parameter */
function zero(parameter) {
  if (parameter.includes('*') || parameter.includes('[')) return '0';
  const type = parameter.replace(/\b\w+$/, '').trim();
  // The only structure that is handed over by value; zero is not a value of it.
  return type === 'usmp_opened_t' ? '(usmp_opened_t){0}' : `(${type})0`;
}
