/* Count the lines of a file, with 32 reads in flight in a context of its own. */
#include <stdio.h>
#include <string.h>
#include <gaio/gaio.h>

#define DEPTH 32
#define BLOCK (128 * 1024)

static goffset next_offset;
static guint in_flight;
static guint64 lines;
static GError *failure;

static void
on_read (GaioRequest *request, gpointer user_data)
{
  gsize size = 0;
  const char *data = gaio_request_get_data (request, &size);

  in_flight--;
  if (!gaio_request_get_result (request, NULL, failure == NULL ? &failure : NULL) || size == 0)
    return;
  for (const char *end = data + size; (data = memchr (data, '\n', end - data)) != NULL; data++)
    lines++;
  if (size == BLOCK && failure == NULL)
    {
      gaio_request_read (request, next_offset, BLOCK);
      next_offset += BLOCK;
      in_flight++;
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GaioContext) context = gaio_context_new (&failure);
  g_autoptr (GaioFile) file = NULL;
  GaioRequest *requests[DEPTH] = { NULL };

  if (context != NULL)
    file = gaio_file_new_for_path (context, argc > 1 ? argv[1] : "/etc/services", "r", &failure);
  for (int i = 0; file != NULL && i < DEPTH; i++, next_offset += BLOCK, in_flight++)
    {
      requests[i] = gaio_request_new (file, on_read, NULL, NULL);
      gaio_request_read (requests[i], next_offset, BLOCK);
    }
  while (in_flight > 0)
    gaio_context_poll (context, TRUE);
  for (int i = 0; i < DEPTH; i++)
    g_clear_pointer (&requests[i], gaio_request_unref);

  if (failure != NULL)
    {
      fprintf (stderr, "%s\n", failure->message);
      g_error_free (failure);
      return 1;
    }
  printf ("%" G_GUINT64_FORMAT "\n", lines);
  return 0;
}
