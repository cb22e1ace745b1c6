/* Asks a SavedModel about one example through TensorFlow's C API, without Python.
 *
 *   ask FOLDER LIBRARIES OUTPUT... -- INPUT KIND FILE ...
 *
 * LIBRARIES are paths of op libraries with colons between them. OUTPUT and INPUT are tensors, NAME:INDEX; KIND is "string" or "float", and FILE holds its bytes. Prints a line for
 * each output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { MOST = 32 };
static TF_Status* status;

static void check(const char* what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static TF_Output tensor(TF_Graph* graph, char* name) {
  char* colon = strrchr(name, ':');
  *colon = '\0';
  TF_Output found = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (!found.oper) fprintf(stderr, "no operation %s\n", name), exit(1);
  return found;
}

static TF_Tensor* content(const char* kind, const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) perror(path), exit(1);
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  char* bytes = malloc(size + 1);
  if (fread(bytes, 1, size, file) != size) exit(1);
  fclose(file);
  const int64_t one = 1;
  int is_float = !strcmp(kind, "float");
  TF_Tensor* made = TF_AllocateTensor(is_float ? TF_FLOAT : TF_STRING, &one, 1, is_float ? 4 : sizeof(TF_TString));
  if (is_float) {
    memcpy(TF_TensorData(made), bytes, 4);
  } else {
    TF_TString_Init(TF_TensorData(made));
    TF_TString_Copy(TF_TensorData(made), bytes, size);
  }
  return made;
}

static void show(const TF_Tensor* tensor) {
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
    if (TF_TensorType(tensor) == TF_FLOAT) {
      printf("%s%.9g", i ? "\t" : "", ((const float*)TF_TensorData(tensor))[i]);
    } else {
      const TF_TString* text = (const TF_TString*)TF_TensorData(tensor) + i;
      printf("%s%.*s", i ? "\t" : "", (int)TF_TString_GetSize(text), TF_TString_GetDataPointer(text));
    }
  }
  printf("\n");
}

int main(int count, char** words) {
  status = TF_NewStatus();
  for (char* path = strtok(words[2], ":"); path; path = strtok(NULL, ":")) TF_LoadLibrary(path, status), check(path);
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, words[1], tags, 1, graph, NULL, status);
  check("load");
  TF_Output inputs[MOST], outputs[MOST];
  TF_Tensor *fed[MOST], *got[MOST];
  int n = 0, m = 0, i = 3;
  for (; i < count && strcmp(words[i], "--"); i++) outputs[m++] = tensor(graph, words[i]);
  for (i++; i + 2 < count; i += 3, n++) {
    inputs[n] = tensor(graph, words[i]);
    fed[n] = content(words[i + 1], words[i + 2]);
  }
  TF_SessionRun(session, NULL, inputs, fed, n, outputs, got, m, NULL, 0, NULL, status), check("run");
  for (i = 0; i < m; i++) show(got[i]);
  return 0;
}
