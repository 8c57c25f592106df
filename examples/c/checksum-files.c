/* Print the SHA-256 of files that are all read at the same time, each by a coroutine of its own. */
#include <stdio.h>
#include <gaio/gaio.h>

#define BLOCK (128 * 1024)

typedef struct
{
  GaioContext *context;
  const char *path;
  char *sum;
  GError *error;
  guint *n_running;
} Reader;

static void
read_all (gpointer user_data)
{
  Reader *self = user_data;
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *block = g_malloc (BLOCK);
  goffset offset = 0;
  gssize n = 0;

  file = gaio_file_new_for_path (self->context, self->path, "r", &self->error);
  while (file != NULL &&
         (n = gaio_file_co_read (file, offset, block, BLOCK, NULL, &self->error)) > 0)
    {
      g_checksum_update (checksum, block, n);
      offset += n;
    }
  if (self->error == NULL)
    self->sum = g_strdup (g_checksum_get_string (checksum));
  --*self->n_running;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = gaio_context_new (&error);
  g_autofree Reader *readers = g_new0 (Reader, argc);
  guint n_running = 0;
  int status = 0;

  for (int i = 1; context != NULL && error == NULL && i < argc; i++)
    {
      g_autoptr (GaioCoroutine) coroutine = NULL;

      readers[i] = (Reader){ context, argv[i], NULL, NULL, &n_running };
      coroutine = gaio_coroutine_new (context, read_all, &readers[i], NULL, &error);
      if (coroutine == NULL)
        break;
      n_running++;
      gaio_coroutine_enter (coroutine);
    }
  while (n_running > 0)
    gaio_context_poll (context, TRUE);

  for (int i = 1; i < argc; i++)
    {
      if (readers[i].sum != NULL)
        printf ("%s  %s\n", readers[i].sum, argv[i]);
      if (readers[i].error != NULL)
        fprintf (stderr, "%s\n", readers[i].error->message);
      if (readers[i].sum == NULL)
        status = 1;
      g_free (readers[i].sum);
      g_clear_error (&readers[i].error);
    }
  if (error != NULL)
    fprintf (stderr, "%s\n", error->message);
  return status;
}
