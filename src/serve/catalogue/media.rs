//! Media that requests bring.

use super::labels::{MediaKind, MediaRejection, MediaSource};
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Media that requests bring.
    Media in media, MaxServe;

    media_items: Event "media.items" NONE NO Basic
        by ByKindAndSource { media_kind: MediaKind, source: MediaSource },
        "Media resolved to bytes.";
    media_resolve_time: Time "media.resolve_time" MILLIS LAT Detailed by BySource { source: MediaSource },
        "Time to resolve a reference to bytes; those of a request overlap.";
    media_item_size: Size "media.item_size" BYTES BYT Detailed by ByKind { media_kind: MediaKind },
        "Size of media as they arrived.";
    media_image_size: Size "media.image_size" PIXELS PIX Detailed open { format: &str },
        "Width times height of an image, before it is resized.";
    media_image_decodes: Event "media.image_decodes" NONE NO Detailed open { format: &str },
        "Images decoded.";
    media_image_decode_ms: Count "media.image_decode_ms" NONE NO Detailed open { format: &str },
        "Milliseconds spent decoding images.";
    media_rejections: Event "media.rejections" NONE NO Basic by ByRejection { reason: MediaRejection },
        "Media refused; each is a request refused.";
    media_items_per_request: Size "media.items_per_request" ITEMS BSZ Detailed by ByKind { media_kind: MediaKind },
        "Media of one kind in a request that has any.";
    media_preprocess_cache_evictions: Count "media.preprocess_cache_evictions" NONE NO Detailed
        by ByKind { media_kind: MediaKind },
        "Preprocessed media evicted to make room.";
    media_preprocess_cache_size: Amount "media.preprocess_cache_size" BYTES NO Detailed
        by ByKind { media_kind: MediaKind },
        "Bytes of preprocessed media kept.";
    media_preprocess_cache_capacity: Amount "media.preprocess_cache_capacity" BYTES NO Detailed
        by ByKind { media_kind: MediaKind },
        "Bytes of preprocessed media that may be kept; 0 when none are.";
}
