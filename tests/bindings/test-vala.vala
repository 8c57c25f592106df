// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// The VAPI makes async methods of the library's pairs: this compiles with it, and runs.

async void work (string path) throws Error
{
  var file = yield Gaio.open_async (path, "w+", Priority.DEFAULT, null);
  var text = new Bytes ("from Vala".data);
  var written = yield file.write_bytes_async (0, text, Priority.DEFAULT, null);
  assert (written == 9);
  yield file.sync_async (true, Priority.DEFAULT, null);
  yield file.truncate_async (4, Priority.DEFAULT, null);
  var info = yield file.query_info_async ("standard::size", Priority.DEFAULT, null);
  assert (info.get_size () == 4);
  var bytes = yield file.read_bytes_async (0, 100, Priority.DEFAULT, null);
  assert (bytes.compare (new Bytes ("from".data)) == 0);
  yield file.close_async (Priority.DEFAULT, null);
  assert (file.is_closed ());

  bytes = yield Gaio.load_bytes_async (path, Priority.DEFAULT, null);
  assert (bytes.get_size () == 4);

  try
    {
      yield Gaio.open_async (path + "/below", "r", Priority.DEFAULT, null);
      assert_not_reached ();
    }
  catch (IOError.NOT_DIRECTORY error)
    {
      assert (Gaio.Error.get_errno (error) == 20);
    }
}

int main ()
{
  var loop = new MainLoop ();
  int status = 1;

  print ("TAP version 13\n1..1\n");
  try
    {
      string path;
      FileUtils.close (FileUtils.open_tmp ("gaio-vala-XXXXXX", out path));
      work.begin (path, (object, result) => {
        try
          {
            work.end (result);
            status = 0;
          }
        catch (Error error)
          {
            print ("# %s\n", error.message);
          }
        FileUtils.remove (path);
        loop.quit ();
      });
      loop.run ();
    }
  catch (Error error)
    {
      print ("# %s\n", error.message);
    }
  print ("%s 1 async methods\n", status == 0 ? "ok" : "not ok");
  return status;
}
