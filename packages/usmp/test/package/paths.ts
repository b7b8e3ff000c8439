import { fileURLToPath } from 'node:url';

/** The folder of the package, seen from compiled tests in `dist-test/package`. */
export const packageFolder = fileURLToPath(new URL('../../', import.meta.url));

/** The repository. */
export const repository = fileURLToPath(new URL('../../../../', import.meta.url));
