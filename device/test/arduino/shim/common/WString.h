#ifndef SHIM_WSTRING_H
#define SHIM_WSTRING_H

#include <stddef.h>
#include <stdint.h>

class __FlashStringHelper;
#define F(text) (reinterpret_cast<const __FlashStringHelper *>(text))

class String {
  public:
    String(const char *text = "");
    String(const String &other);
    explicit String(int number);
    explicit String(double number, unsigned char digits = 2);
    ~String();
    String &operator=(const String &other);

    unsigned char reserve(unsigned int size);
    unsigned int length() const
    {
        return length_;
    }
    const char *c_str() const
    {
        return text_ == nullptr ? "" : text_;
    }
    String &operator+=(char character);
    String &operator+=(const char *text);
    String &operator+=(const String &text);
    bool operator==(const char *other) const;
    bool operator==(const String &other) const;
    bool operator!=(const char *other) const
    {
        return !(*this == other);
    }
    bool startsWith(const String &prefix) const;
    String substring(unsigned int from) const;
    long toInt() const;
    void trim();

  private:
    char *text_ = nullptr;
    unsigned int length_ = 0;
    unsigned int room_ = 0;
};

String operator+(const String &a, const String &b);

#endif
