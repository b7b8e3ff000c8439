/** NVS as a folder: one file for each value, called namespace.key.type. */
#include "nvs_flash.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_OPEN 16
#define MAX_NAME 15

typedef struct {
    bool used;
    bool writable;
    char name[MAX_NAME + 1];
} open_t;

static char folder[PATH_MAX];
static open_t opened[MAX_OPEN];

esp_err_t nvs_flash_init(void)
{
    const char *given = getenv("USMP_SHIM_NVS");
    if (folder[0] != '\0') return ESP_OK;
    if (given == NULL) return ESP_FAIL;
    snprintf(folder, sizeof folder, "%s", given);
    return ESP_OK;
}

esp_err_t nvs_flash_erase(void)
{
    return ESP_OK;
}

static FILE *file_of(nvs_handle_t handle, const char *key, const char *type, const char *mode)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s.%s.%s", folder, opened[handle].name, key, type);
    return fopen(path, mode);
}

/** A namespace begins to exist when something is written. */
static bool exists(const char *name)
{
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "ls '%s'/%s.* >/dev/null 2>&1", folder, name);
    return system(command) == 0;
}

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *handle)
{
    if (folder[0] == '\0') return ESP_ERR_NVS_NOT_INITIALIZED;
    if (strlen(name) == 0 || strlen(name) > MAX_NAME) return ESP_ERR_INVALID_ARG;
    if (mode == NVS_READONLY && !exists(name)) return ESP_ERR_NVS_NOT_FOUND;
    for (nvs_handle_t i = 1; i < MAX_OPEN; i++) {
        if (opened[i].used) continue;
        opened[i] = (open_t){.used = true, .writable = mode == NVS_READWRITE};
        snprintf(opened[i].name, sizeof opened[i].name, "%s", name);
        *handle = i;
        return ESP_OK;
    }
    return ESP_ERR_NO_MEM;
}

void nvs_close(nvs_handle_t handle)
{
    opened[handle].used = false;
}

esp_err_t nvs_commit(nvs_handle_t handle)
{
    return opened[handle].used ? ESP_OK : ESP_ERR_INVALID_ARG;
}

static esp_err_t set(nvs_handle_t handle, const char *key, const char *type, const void *value, size_t length)
{
    if (!opened[handle].writable) return ESP_ERR_NVS_READ_ONLY;
    FILE *file = file_of(handle, key, type, "wb");
    if (file == NULL) return ESP_FAIL;
    bool done = fwrite(value, 1, length, file) == length;
    return fclose(file) == 0 && done ? ESP_OK : ESP_FAIL;
}

static esp_err_t get(nvs_handle_t handle, const char *key, const char *type, void *value, size_t *length)
{
    struct stat status;
    FILE *file = file_of(handle, key, type, "rb");
    if (file == NULL) return ESP_ERR_NVS_NOT_FOUND;
    esp_err_t result = fstat(fileno(file), &status) == 0 ? ESP_OK : ESP_FAIL;
    size_t size = (size_t)status.st_size;
    if (result == ESP_OK && size > *length) result = ESP_ERR_NVS_INVALID_LENGTH;
    if (result == ESP_OK && fread(value, 1, size, file) != size) result = ESP_FAIL;
    *length = size;
    fclose(file);
    return result;
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value, size_t length)
{
    return set(handle, key, "blob", value, length);
}

esp_err_t nvs_set_str(nvs_handle_t handle, const char *key, const char *value)
{
    return set(handle, key, "str", value, strlen(value) + 1);
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *value, size_t *length)
{
    return get(handle, key, "blob", value, length);
}

esp_err_t nvs_get_str(nvs_handle_t handle, const char *key, char *value, size_t *length)
{
    return get(handle, key, "str", value, length);
}

esp_err_t nvs_erase_key(nvs_handle_t handle, const char *key)
{
    static const char *const types[] = {"blob", "str"};
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s.%s.%s", folder, opened[handle].name, key, types[i]);
        any = unlink(path) == 0 || any;
    }
    return any ? ESP_OK : ESP_ERR_NVS_NOT_FOUND;
}
