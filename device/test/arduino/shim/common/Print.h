#ifndef SHIM_PRINT_H
#define SHIM_PRINT_H

#include "WString.h"

#define DEC 10
#define HEX 16

class Print {
  public:
    virtual ~Print() = default;

    int getWriteError()
    {
        return error_;
    }
    void clearWriteError()
    {
        setWriteError(0);
    }

    virtual size_t write(uint8_t byte) = 0;
    virtual size_t write(const uint8_t *bytes, size_t size);
    size_t write(const char *text);
    size_t write(const char *bytes, size_t size)
    {
        return write((const uint8_t *)bytes, size);
    }
    virtual int availableForWrite()
    {
        return 0;
    }

    size_t print(const __FlashStringHelper *text);
    size_t print(const String &text);
    size_t print(const char text[]);
    size_t print(char character);
    size_t print(unsigned char number, int base = DEC);
    size_t print(int number, int base = DEC);
    size_t print(unsigned int number, int base = DEC);
    size_t print(long number, int base = DEC);
    size_t print(unsigned long number, int base = DEC);
    size_t print(double number, int digits = 2);

    template <typename Value> size_t println(const Value &value)
    {
        size_t count = print(value);
        return count + println();
    }
    template <typename Value> size_t println(const Value &value, int base)
    {
        size_t count = print(value, base);
        return count + println();
    }
    size_t println()
    {
        return write("\r\n");
    }

    virtual void flush()
    {
    }

  protected:
    void setWriteError(int error = 1)
    {
        error_ = error;
    }

  private:
    int error_ = 0;
};

#endif
