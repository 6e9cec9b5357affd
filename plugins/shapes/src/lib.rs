//! A ten-class image data set rendered procedurally, without a download.
