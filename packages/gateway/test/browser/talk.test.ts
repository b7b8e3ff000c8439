/** Tests with devices that talk. In one file, as a browser takes seconds of the processor to start. */

import './first-run.js';
import './keys.js';
import './restart.js';
