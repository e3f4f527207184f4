//! Image and video encoders, and what is done before them.

use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Image and video encoders.
    Vision in vision, MaxServe;

    vision_images_encoded: Count "vision.images_encoded" IMAGES NO Detailed,
        "Images encoded, as the encoder's cache had them not.";
    vision_images_cached: Count "vision.images_cached" IMAGES NO Detailed,
        "Images whose encoding was cached.";
    vision_patches_encoded: Count "vision.patches_encoded" PATCHES NO Detailed,
        "Patches given to the image encoder.";
    vision_tokens_encoded: Count "vision.tokens_encoded" TOKENS NO Detailed,
        "Image tokens after merging.";
    vision_cache_hit_rate: Real "vision.cache_hit_rate" PERCENT PCT Detailed,
        "Share of a batch's images whose encoding was cached, 0 to 100.";
    video_clips_encoded: Count "video.clips_encoded" CLIPS NO Detailed,
        "Video clips encoded, as the encoder's cache had them not.";
    video_tokens_encoded: Count "video.tokens_encoded" TOKENS NO Detailed,
        "Video tokens after merging.";
    video_encoding_time_milliseconds: Time "video.encoding_time_milliseconds" MILLIS LAT Detailed,
        "Time the video encoder took.";
    video_frames_per_clip: Size "video.frames_per_clip" FRAMES BSZ Detailed,
        "Frames taken of a clip that is encoded.";
    vision_preprocess_cache_hits: Count "vision.preprocess_cache_hits" IMAGES NO Detailed,
        "Images that were preprocessed already.";
    vision_preprocess_cache_misses: Count "vision.preprocess_cache_misses" IMAGES NO Detailed,
        "Images that had to be decoded and preprocessed.";
    image_admission_decode_time: Time "vision.image_admission_decode_time" MILLIS LAT Detailed,
        "Time a request's images took to decode at its admission.";
}
