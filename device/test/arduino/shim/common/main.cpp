/**
 * The program around a sketch. When setup() is over, it obeys lines on its input: `air off`, `air on`, `server PORT`, `report`, `quit`,
 * and ends when the input does. Its own words begin with @.
 */
#include "Shim.h"

#include "Arduino.h"

#include <stdio.h>
#include <unistd.h>

static uint32_t longestLoop = 0;

/** @return false when the test has hung up */
static bool obey()
{
    static char line[64];
    static size_t length = 0;
    char character;
    while (shimIsReadable(STDIN_FILENO)) {
        if (::read(STDIN_FILENO, &character, 1) != 1) return false;
        if (character != '\n') {
            if (length < sizeof line - 1) line[length++] = character;
            continue;
        }
        line[length] = 0;
        length = 0;
        if (strcmp(line, "quit") == 0) return false;
        if (strcmp(line, "air off") == 0) shimAir = false;
        if (strcmp(line, "air on") == 0) shimAir = true;
        if (strncmp(line, "server ", 7) == 0) shimServer = (uint16_t)atoi(line + 7);
        if (strcmp(line, "report") == 0) printf("@longest %lu us\n", (unsigned long)longestLoop);
        printf("@done %s\n", line);
        fflush(stdout);
    }
    return true;
}

int main()
{
    const char *server = getenv("SHIM_SERVER");
    if (server != nullptr) shimServer = (uint16_t)atoi(server);
    setup();
    shimLoops = true;
    while (obey()) {
        uint32_t began = (uint32_t)micros();
        loop();
        uint32_t took = (uint32_t)micros() - began;
        if (took > longestLoop) longestLoop = took;
        usleep(300);
    }
    return 0;
}
