/* Stands in for libedgetpu.so.1 where no Edge TPU is.
 *
 * It exports what the runtime asks of an external delegate and what libedgetpu's edgetpu_c.h
 * declares, and claims the operators named "edgetpu-custom-op". The tests put that name on a
 * RESHAPE of a real model, so that copying the bytes is the right answer.
 *
 * A control file is read each time; its path is in the environment variable FAKE_EDGETPU. It holds
 * words: "devices=2" (1 without it), "fail-open", "fail-invoke".
 *
 * The structures below repeat the layout of TensorFlow Lite's core/c/common.h up to the last field
 * that is used. TfLiteRegistration is passed by value on the stack: it may be longer here than in
 * the runtime, never shorter, hence the spare words at its end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { kOk = 0, kError = 1 } Status;

typedef struct {
  int size;
  int data[];
} IntArray;

struct Context;

typedef struct {
  int type;
  void *data;
  IntArray *dims;
  struct {
    float scale;
    int32_t zero_point;
  } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct {
    int type;
    void *params;
  } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct {
  IntArray *inputs;
  IntArray *outputs;
  IntArray *intermediates;
  IntArray *temporaries;
  void *user_data;
} Node; /* more follows */

typedef struct {
  void *delegate;
  IntArray *nodes;
} DelegateParams; /* more follows */

typedef struct {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  Status (*prepare)(struct Context *, Node *);
  Status (*invoke)(struct Context *, Node *);
  const char *(*profiling_string)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *spare[8];
} Registration;

typedef struct Delegate {
  void *data;
  Status (*prepare)(struct Context *, struct Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *opaque_builder;
} Delegate;

typedef struct Context {
  size_t tensors_size;
  Status (*get_execution_plan)(struct Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  void *resize_tensor;
  void (*report_error)(struct Context *, const char *, ...);
  void *add_tensors;
  Status (*get_node)(struct Context *, int, Node **, Registration **);
  Status (*replace)(struct Context *, Registration, const IntArray *, Delegate *);
} Context; /* more follows */

struct edgetpu_device {
  int type;
  const char *path;
};

static void control(char *text, size_t size) {
  const char *path = getenv("FAKE_EDGETPU");
  FILE *file = path ? fopen(path, "r") : NULL;
  size_t length = file ? fread(text, 1, size - 1, file) : 0;
  text[length] = 0;
  if (file) fclose(file);
}

static bool told(const char *word) {
  char text[256];
  control(text, sizeof text);
  return strstr(text, word) != NULL;
}

static size_t device_count(void) {
  char text[256];
  control(text, sizeof text);
  const char *word = strstr(text, "devices=");
  return word ? strtoul(word + strlen("devices="), NULL, 10) : 1;
}

/* Which tensor is copied to which, for each operator of one delegate kernel. */
typedef struct {
  int size;
  int pairs[][2];
} Copies;

static void *init_kernel(Context *context, const char *buffer, size_t length) {
  (void)length;
  const IntArray *nodes = ((const DelegateParams *)buffer)->nodes;
  Copies *copies = malloc(sizeof *copies + sizeof(int[2]) * (size_t)nodes->size);
  copies->size = 0;
  for (int i = 0; i < nodes->size; i++) {
    Node *node;
    Registration *registration;
    if (context->get_node(context, nodes->data[i], &node, &registration) != kOk) continue;
    copies->pairs[copies->size][0] = node->inputs->data[0];
    copies->pairs[copies->size++][1] = node->outputs->data[0];
  }
  return copies;
}

static void free_kernel(Context *context, void *copies) {
  (void)context;
  free(copies);
}

static Status invoke_kernel(Context *context, Node *node) {
  if (told("fail-invoke")) {
    context->report_error(context, "the fake Edge TPU was told to fail at invoke");
    return kError;
  }
  const Copies *copies = node->user_data;
  for (int i = 0; i < copies->size; i++) {
    const Tensor *from = &context->tensors[copies->pairs[i][0]];
    const Tensor *to = &context->tensors[copies->pairs[i][1]];
    if (from->bytes != to->bytes) return kError;
    memcpy(to->data, from->data, to->bytes);
  }
  return kOk;
}

static Status prepare(Context *context, Delegate *delegate) {
  IntArray *plan;
  if (context->get_execution_plan(context, &plan) != kOk) return kError;
  IntArray *claimed = malloc(sizeof(int) * (1 + (size_t)plan->size));
  claimed->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    if (context->get_node(context, plan->data[i], &node, &registration) != kOk) {
      free(claimed);
      return kError;
    }
    const char *name = registration->custom_name;
    if (name && strcmp(name, "edgetpu-custom-op") == 0) claimed->data[claimed->size++] = plan->data[i];
  }
  Registration kernel = {.init = init_kernel,
                         .free = free_kernel,
                         .invoke = invoke_kernel,
                         .custom_name = "FakeEdgeTpu",
                         .version = 1};
  Status status = context->replace(context, kernel, claimed, delegate);
  free(claimed);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
  size_t index = 0;
  for (size_t i = 0; i < count; i++)
    if (strcmp(keys[i], "device") == 0 && values[i][0] == ':') index = strtoul(values[i] + 1, NULL, 10);
  if (told("fail-open") || index >= device_count()) {
    report("the fake Edge TPU was told to fail at load");
    return NULL;
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->prepare = prepare;
  /* kTfLiteDelegateFlagsAllowDynamicTensors, as libedgetpu sets it: without it the runtime prepares
   * all operators before it asks the delegate, and fails at the custom one. */
  delegate->flags = 1;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }

struct edgetpu_device *edgetpu_list_devices(size_t *count) {
  *count = device_count();
  if (*count == 0) return NULL;
  struct edgetpu_device *devices = calloc(*count, sizeof *devices);
  for (size_t i = 0; i < *count; i++)
    devices[i] = (struct edgetpu_device){.type = i % 2 == 0, .path = i % 2 ? "/dev/apex_0" : "/sys/bus/usb/2-1"};
  return devices;
}

void edgetpu_free_devices(struct edgetpu_device *devices) { free(devices); }
