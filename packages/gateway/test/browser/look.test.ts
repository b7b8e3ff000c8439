/** Tests of what people see and do. In one file, as a browser takes seconds of the processor to start. */

import './every-page.js';
import './keyboard.js';
import './access.js';
import './large-fleet.js';
