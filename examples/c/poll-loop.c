/* A loop of your own: poll(2) waits for one descriptor, and the context does the rest. */
#include <poll.h>
#include <stdio.h>
#include <gaio/gaio.h>

static gboolean done;

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = gaio_load_bytes_finish (result, &error);

  if (bytes != NULL)
    printf ("%zu\n", g_bytes_get_size (bytes));
  else
    fprintf (stderr, "%s\n", error->message);
  *(int *) user_data = bytes != NULL ? 0 : 1;
  done = TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GaioContext) context = gaio_context_ref_thread_default ();
  struct pollfd pollfd = { .fd = gaio_context_get_fd (context), .events = POLLIN };
  int status = 1;

  gaio_load_bytes_async (argc > 1 ? argv[1] : "/etc/services",
                         G_PRIORITY_DEFAULT,
                         NULL,
                         on_loaded,
                         &status);
  while (!done && pollfd.fd >= 0)
    if (poll (&pollfd, 1, -1) > 0)
      gaio_context_iterate (context);
  return status;
}
