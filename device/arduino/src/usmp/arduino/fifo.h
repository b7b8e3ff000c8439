/** Messages one behind the other, in memory of a size that is known when it is compiled. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace USMP {

/** Each message stands in one piece behind two bytes of length, so that it can be handed on in place. */
template <size_t SIZE> class Fifo {
  public:
    static_assert(SIZE <= 0xFFFF, "USMP: a queue has at most 65535 bytes");

    /** What a message takes beside its own bytes. */
    static constexpr size_t overhead = 2;

    uint16_t count() const
    {
        return count_;
    }

    bool fits(size_t length) const
    {
        return length + overhead <= SIZE - used();
    }

    /** @return false, and nothing is changed, when there is no room */
    bool push(const uint8_t *message, size_t length)
    {
        uint8_t *place = append(length);
        if (place != nullptr && length > 0) memcpy(place, message, length);
        return place != nullptr;
    }

    /** @return where the caller puts the bytes of a new message; null, and nothing is changed, when there is no room */
    uint8_t *append(size_t length)
    {
        if (!fits(length)) return nullptr;
        if (end_ + length + overhead > SIZE) moveToFront();
        bytes_[end_] = (uint8_t)(length >> 8);
        bytes_[end_ + 1] = (uint8_t)length;
        uint8_t *place = bytes_ + end_ + overhead;
        end_ = (uint16_t)(end_ + overhead + length);
        count_++;
        return place;
    }

    /** The oldest message; to be asked for only when there is one. */
    const uint8_t *front() const
    {
        return bytes_ + start_ + overhead;
    }

    size_t frontLength() const
    {
        return count_ == 0 ? 0 : (size_t)bytes_[start_] << 8 | bytes_[start_ + 1];
    }

    /** Forgets the oldest message, and overwrites it. */
    void pop()
    {
        if (count_ == 0) return;
        size_t size = frontLength() + overhead;
        memset(bytes_ + start_, 0, size);
        start_ = (uint16_t)(start_ + size);
        if (--count_ == 0) start_ = end_ = 0;
    }

    void clear()
    {
        while (count_ > 0) pop();
    }

  private:
    size_t used() const
    {
        return (size_t)(end_ - start_);
    }

    void moveToFront()
    {
        memmove(bytes_, bytes_ + start_, used());
        end_ = (uint16_t)used();
        start_ = 0;
    }

    uint16_t start_ = 0;
    uint16_t end_ = 0;
    uint16_t count_ = 0;
    uint8_t bytes_[SIZE] = {};
};

} // namespace USMP
