#!/bin/sh
# Record ten seconds of moving video and sound into an MP4 file.
exec gst-launch-1.0 -e \
  videotestsrc num-buffers=300 pattern=ball ! video/x-raw,format=I420,width=640,height=360 \
    ! x264enc speed-preset=veryfast ! h264parse ! queue ! mux. \
  audiotestsrc num-buffers=480 samplesperbuffer=1000 wave=ticks ! audio/x-raw,rate=48000 \
    ! opusenc ! queue ! mux. \
  mp4mux name=mux ! gaiofilesink location="${1:-out.mp4}"
