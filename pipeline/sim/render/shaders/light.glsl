// Light of the hour, shared by all that is drawn. Colours are linear.
uniform vec3 eye;
uniform vec3 sun;            // towards the sun, or the brightest part of the sky
uniform vec3 sun_color;
uniform vec3 sky_color;      // from above
uniform vec3 bounce_color;   // from below
uniform vec3 haze_color;
uniform float haze;          // per metre

vec3 ambient(float up) { return mix(bounce_color, sky_color, 0.5 + 0.5 * up); }

vec3 veiled(vec3 color, float far) {
    return mix(haze_color, color, exp(-haze * far));
}
