/** NVS of the tests: a file, or memory. */
#ifndef SHIM_PREFERENCES_H
#define SHIM_PREFERENCES_H

#include "Arduino.h"

class Preferences {
  public:
    bool begin(const char *name, bool readOnly = false, const char *partition = nullptr);
    void end();
    bool remove(const char *key);
    size_t putBytes(const char *key, const void *value, size_t length);
    size_t getBytes(const char *key, void *buffer, size_t size);
    size_t getBytesLength(const char *key);

  private:
    bool open_ = false;
    bool readOnly_ = false;
};

#endif
