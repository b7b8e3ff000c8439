#include "suites.h"

#include "tap.h"

#include "usmp/rate_limit.h"

#if USMP_SERVER

static unsigned take_all(usmp_bucket_t *bucket, uint32_t now)
{
    unsigned count = 0;
    while (count < 5000 && usmp_bucket_take(bucket, now)) count++;
    return count;
}

static void a_burst_then_a_rate(void)
{
    static const uint32_t CLOCKS[] = {0, 12345, UINT32_MAX - 500};
    for (unsigned i = 0; i < COUNT(CLOCKS); i++) {
        uint32_t now = CLOCKS[i];
        usmp_bucket_t bucket;
        usmp_bucket_begin(&bucket, 64, 16, now);
        CHECK_NUMBER(take_all(&bucket, now), 64);
        CHECK_NUMBER(take_all(&bucket, now += 1000), 16);
        CHECK_NUMBER(take_all(&bucket, now += 62), 0);
        CHECK_NUMBER(take_all(&bucket, now += 1), 1);
        CHECK_NUMBER(take_all(&bucket, now += 100000), 64);
        CHECK_NUMBER(take_all(&bucket, now += 0x80000000u), 64);
        CHECK_NUMBER(take_all(&bucket, now += 0xFFFFFFFFu), 64);
    }
}

static void asking_often_does_not_lose_tokens(void)
{
    usmp_bucket_t bucket;
    usmp_bucket_begin(&bucket, 64, 16, 0);
    (void)take_all(&bucket, 0);
    unsigned count = 0;
    for (uint32_t now = 1; now <= 10000; now++) count += usmp_bucket_take(&bucket, now);
    CHECK_NUMBER(count, 160);
}

static void the_largest_bucket(void)
{
    usmp_bucket_t bucket;
    usmp_bucket_begin(&bucket, 1000, 1000, 0);
    CHECK_NUMBER(take_all(&bucket, 0), 1000);
    CHECK_NUMBER(take_all(&bucket, 500), 500);
    CHECK_NUMBER(take_all(&bucket, 4000000000u), 1000);
}

#endif

void rate_limit_suite(void)
{
#if USMP_SERVER
    test("a bucket gives its burst, then its rate, whatever the clock shows", a_burst_then_a_rate);
    test("asking often loses no tokens", asking_often_does_not_lose_tokens);
    test("the largest bucket does not overflow", the_largest_bucket);
#endif
}
